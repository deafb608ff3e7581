"""The spec that `gnas init imaging` writes."""

TEMPLATE = """\
# A gnas run on medical images. Check it with `gnas plan`, start it with `gnas run`. It works as it is, on synthetic
# data.
domain: imaging
name: lesions
seed: 0

data:
  # Your own images; leave `dataset` and `synthetic` out then. Paths are relative to this file.
  # file: images.npz          # arrays train_images, train_labels, val_…, test_… (MedMNIST), or images and labels
  # file: images.csv          # columns path, label, group (patient or site), part (train, validation, test)
  # folder: images            # one folder for each class, or train, val and test with these in them
  # dataset: medmnist:pneumoniamnist   # where the package medmnist is installed
  # targets: [label]          # column or columns of labels; several columns of 0 and 1 are several labels at once
  # group: patient            # whose images stay in one part: name it whenever a patient has more than one image
  # size: 64                  # side to which images are resized; needed where they differ in size
  dataset: synthetic-lesions  # a generator: nothing found on it is a medical result
  synthetic:
    patients: 200
    images: 4                 # of each patient
    size: 32
    difficulty: 0.4           # from 0 to 1
    confounder: 0.0           # from 0 to 1: a mark that goes with one class, but not in the test part
  task: auto                  # binary, multiclass, multilabel, regression
  split:
    kind: auto                # given parts, else whole groups, else random
    fractions: [0.7, 0.15, 0.15]
    seed: 0
  augment:
    flip: both                # none, horizontal, vertical, both
    shift: 0.08               # of the side
    rotate: 10                # degrees
    scale: 0.1
    warped: 0.5               # share of the images that are rotated and scaled, which smooths them
    brightness: 0.1

metric: auroc                 # auprc, balanced_accuracy, accuracy, ece, log_loss; regression: rmse, mae, r2

space: imaging/small          # or imaging/default, which is far larger

# Upper limits; remove what does not matter to you.
# constraints:
#   macs: 10000000
#   latency_ms: 5

budget:                       # the search ends at whichever comes first
  trials: 12
  minutes: 2
  trial_minutes: 2

search:
  algorithm: bayes            # or evolution, local, random, tpe, nsga2

recipe:
  epochs: 10

final:                        # the comparison on the locked test part
  finalists: 2
  seeds: 2
  baselines: [gradient boosting]   # all: ResNet-18 too, which takes far longer than the rest
  random_search: true

device: cpu
workers: 2
"""
