"""INT8 for the folded program: what is quantised, calibration, the scan of layers, quantisation-aware finetuning."""

import logging
import warnings

from tadsr.extras import require

require("compress", "torchao", "nncf")

for _name in ("torchao", "torch.utils._pytree"):  # kernels for other GPUs, and a deprecation among the two of them
    logging.getLogger(_name).setLevel(logging.ERROR)
warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec", category=FutureWarning)  # PT2E's own
