"""The spec that `gnas init timeseries` writes."""

TEMPLATE = """\
# A gnas run on time series. Check it with `gnas plan`, start it with `gnas run`. It works as it is, on generated data.
domain: timeseries
name: motions
seed: 0

data:
  # Your own file, relative to this one; leave `dataset` out then.
  # file: pumps.csv           # CSV or TSV, .npz with X (series, channel, step) and y, or .ts
  # test_file: more.csv       # the test part, if it is a file of its own
  # targets: [fault]          # column or columns to predict (text or a few whole numbers are classes)
  # record: run               # column that names the recording: one row a step; without it one row a series
  # time: seconds             # column that must rise within a recording
  # group: pump               # column of the subject or device, which a split keeps together
  # window: {length: 128, stride: 64}   # cut recordings; a window never leaves its recording
  dataset: synthetic          # or one inside aeon: BasicMotions, ItalyPowerDemand, …
  task: auto                  # classification, regression, multilabel, or auto
  missing: interpolate        # inside a recording, or error
  unequal: error              # series of unequal lengths: error, pad, or crop
  normalise: channel          # by the training part; or series (each its own), or none
  # streaming: true           # networks that read no later step; or mcu_safe: true, for microcontrollers
  # augment: {noise: 0.1, scale: 0.1}   # random changes of training series
  # cap: 125                  # remaining life: larger targets become this
  split:
    kind: auto                # given, group, random, leave_one_out
    fractions: [0.6, 0.2, 0.2]
    seed: 0

metric: macro_f1              # classification: macro_f1, balanced_accuracy, accuracy, auroc, worst_group_accuracy
                              # regression: rmse, mae, r2, phm_score; multilabel: auroc, macro_f1, log_loss

space: timeseries/small       # timeseries/default is larger; mcu is for microcontrollers, streaming for live signals

# Upper limits; remove what does not matter to you.
# constraints:
#   n_params: 50000           # bytes of flash at int8
#   macs: 5000000
#   memory_bytes: 65536

budget:                       # the search ends at whichever comes first
  trials: 12
  minutes: 2
  trial_minutes: 1

search:
  algorithm: bayes            # or evolution, local, random, tpe, nsga2

# recipe:                     # how each candidate is trained
#   epochs: 40
#   class_weights: balanced   # rare classes weigh as much as common ones

final:                        # the comparison on the locked test part
  finalists: 2
  seeds: 2
  baselines: all
  random_search: true

device: cpu
workers: 2
"""
