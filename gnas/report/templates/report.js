(() => {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("role", "status");
  document.body.append(tip);
  const hide = () => tip.classList.remove("on");
  document.addEventListener("pointermove", (event) => {
    const target = event.target instanceof Element ? event.target.closest("[data-tip]") : null;
    const words = target && target.getAttribute("data-tip");
    if (!words) return hide();
    tip.textContent = words;
    tip.classList.add("on");
    const room = 12;
    const box = tip.getBoundingClientRect();
    const x = Math.min(event.clientX + room, window.innerWidth - box.width - room);
    const below = event.clientY + room;
    const y = below + box.height > window.innerHeight ? event.clientY - box.height - room : below;
    tip.style.transform = `translate(${Math.max(room, x)}px, ${y}px)`;
  });
  document.addEventListener("pointerleave", hide);
  document.addEventListener("scroll", hide, { passive: true });

  const links = new Map([...document.querySelectorAll("nav a")].map((a) => [a.hash.slice(1), a]));
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        links.forEach((link) => link.removeAttribute("aria-current"));
        links.get(entry.target.id)?.setAttribute("aria-current", "true");
      }
    },
    { rootMargin: "-10% 0px -75% 0px" },
  );
  document.querySelectorAll("section[id]").forEach((section) => watcher.observe(section));

  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach((details) => (details.open = true));
  });
})();
