"""The spec that `gnas init tabular` writes."""

TEMPLATE = """\
# Compare searchers on a table of architectures that were trained before: every answer comes at once.
domain: tabular
name: toy-table

data:
  # Made-up values on the cells of NAS-Bench-201. For real ones give a file:
  #   file: nasbench201.csv.gz          # a column arch_str; link and op1 to op4; or one column a choice
  #   target: cifar10_val_200ep         # what the search sees
  #   report: cifar10_test_200ep        # what only the final comparison reads
  #   costs: {n_params: cifar10_params, latency_ms: hw_cifar10_edgegpu_latency}
  # or `benchmark: nas-bench-graph` with `dataset: cora`, from the package nas-bench-graph.
  benchmark: toy
  target: validation
  report: test
  costs: {n_params: n_params}

search:
  algorithm: bayes          # or evolution, local, tpe, random; random search at equal cost comes along

budget:
  trials: 60                # answers asked for

# constraints:
#   n_params: 2000
"""
