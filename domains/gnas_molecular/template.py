"""The spec that `gnas init molecular` writes."""

TEMPLATE = """\
# A gnas run on molecules. Check it with `gnas plan`, start it with `gnas run`. It works as it is, on embedded data.
domain: molecular
name: solubility
seed: 0

data:
  # Your own table: CSV, CSV.gz, TSV, Parquet or SDF, relative to this file; leave `dataset` out then.
  # file: molecules.csv
  # smiles: smiles            # column of SMILES
  # targets: [logS]           # column or columns to predict; empty cells are labels that are missing
  dataset: solubility         # or freesolv
  task: auto                  # regression, binary (0 and 1), or auto
  split:
    kind: scaffold_balanced   # or scaffold, random; column, group, time with `column: NAME`
    fractions: [0.8, 0.1, 0.1]
    seed: 0
  standardise:
    salts: true               # keep the largest fragment
    uncharge: false
    tautomers: false          # canonical tautomers, slow
  duplicates: merge           # rows of one molecule: merge, first, or error
  max_unparsable: 0.05        # fraction of unreadable SMILES that may be left out

metric: rmse                  # regression: rmse, mae, r2, spearman; binary: auroc, auprc, log_loss

space: molecular/default

# Upper limits; remove what does not matter to you.
# constraints:
#   n_params: 500000
#   latency_ms: 5

budget:                       # the search ends at whichever comes first
  trials: 40
  minutes: 4
  trial_minutes: 2

search:
  algorithm: bayes            # or evolution, local, random, tpe, nsga2

# recipe:                     # how each candidate is trained
#   epochs: 40
#   learning_rate: 0.001

final:                        # the comparison on the locked test part
  finalists: 3
  seeds: 3
  baselines: all
  random_search: true

device: cpu
workers: 2
"""
