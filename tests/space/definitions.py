"""Small spaces, one for each feature of the language."""

from __future__ import annotations

CONDITIONAL = """
inputs: [x]
choices:
  pool: [sum, mean, set2set]
  steps: {values: [1, 2, 3], when: {pool: set2set}}
  bias: {values: [false, true], when: {steps: {min: 2}}}
graph:
  - {name: pool, op: $pool, by_op: {set2set: {steps: $steps}}}
  - {name: head, op: linear, width: {choice: [8, 16]}}
  - {name: extra, op: bias, value: $bias, when: {steps: {min: 2}}}
"""

DEPTH = """
inputs: [x]
choices:
  hidden: [8, 16]
graph:
  - name: layers
    repeat:
      times: {choice: [0, 1, 2, 3], name: depth}
      choices: {act: [relu, gelu]}
      body:
        - {name: conv, op: {choice: [gcn, gat]}, width: $hidden, by_op: {gat: {heads: {choice: [1, 2]}}}}
        - {name: act, op: $act, first: {by: $i, cases: {0: true}, default: false}}
  - {name: jump, op: concat, from: [x, layers.*]}
"""

SOURCES = """
inputs: [a, b, c]
graph:
  - {name: one, op: f, from: {choice: [a, b]}}
  - {name: two, op: g, from: {subset: [a, b, one], min: 1, max: 2}}
  - {name: three, op: h, ordered: true, from: [two, {optional: c}, {use: one, when: {one.from: b}}]}
  - {name: four, op: k, from: {by: $one.from, cases: {a: [one, three], b: three}}}
"""

EITHER = """
inputs: [x]
choices: {norm: [layer, batch, none_at_all]}
graph:
  - name: mixer
    either:
      attention: [{name: att, op: attention, heads: {choice: [2, 4]}}, {name: out, op: linear}]
      conv: [{name: conv, op: conv, kernel: {choice: [3, 5, 7]}}]
      nothing: []
  - {name: normed, by: $norm, either: {layer: [{op: layer_norm}], batch: [{op: batch_norm}], none_at_all: []}}
  - {name: sum, op: sum, from: [x, normed]}
"""

CELLS = """
inputs: [x]
choices: {width: [4, 8]}
cells:
  block:
    inputs: [u, v]
    choices: {act: [relu, gelu]}
    body:
      - {name: mix, op: {choice: [add, mul]}, from: [u, v]}
      - {name: act, op: $act, width: $width}
graph:
  - {name: stem, op: stem}
  - {name: first, cell: block, from: [x, stem]}
  - {name: second, cell: block, from: [stem, first]}
  - {name: third, cell: block, from: [first, second], tied: false}
"""

STAGES = """
inputs: [image]
graph:
  - name: stages
    repeat:
      times: 2
      as: stage
      choices: {depth: [1, 2]}
      body:
        - {name: down, op: conv, width: {by: $stage, cases: {0: 16, 1: 32}}, when: {stage: {min: 1}}}
        - name: blocks
          repeat:
            times: $depth
            body: [{name: conv, op: conv, kernel: {choice: [3, 5]}}]
  - name: tail
    group:
      body: [{name: pool, op: pool}, {name: head, op: {choice: [linear, identity]}}]
"""

FREE_DAG = """
inputs: [x]
graph:
  - name: cell
    dag:
      nodes: {choice: [1, 2, 3]}
      inputs: free
      node: {choice: [a, b]}
      output: {op: concat, inputs: leaves}
constraints:
  - connected: true
"""

SUBSET_DAG = """
inputs: [x, y]
graph:
  - name: cell
    from: [x, y]
    dag:
      nodes: 2
      inputs: {min: 1, max: 2}
      edge: {op: {choice: [p, q, none]}, size: 3}
      node: f
      join: sum
      output: {op: concat, inputs: nodes}
"""

CONSTRAINED = """
inputs: [x]
choices:
  a: [1, 2, 3, 4]
  b: [1, 2, 3, 4]
  c: {values: [p, q, r], when: {a: [2, 3]}}
graph:
  - {name: one, op: f, a: $a, b: $b}
  - {name: two, op: $c, when: {a: [2, 3]}}
constraints:
  - forbid: {a: 1, b: [2, 3]}
  - count: {choices: [a, b], values: [3, 4], max: 1}
"""

ALL = {
    "conditional": CONDITIONAL,
    "depth": DEPTH,
    "sources": SOURCES,
    "either": EITHER,
    "cells": CELLS,
    "stages": STAGES,
    "free_dag": FREE_DAG,
    "subset_dag": SUBSET_DAG,
    "constrained": CONSTRAINED,
}
