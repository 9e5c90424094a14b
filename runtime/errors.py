"""What a user can put right. Every other package derives its own errors from `TadsrError`."""


class TadsrError(Exception):
    """A mistake or a lack that the user can fix: one line that says what failed, on which file, and what to do next."""


class PictureError(TadsrError):
    """A picture cannot be read, used or saved."""


class BundleError(TadsrError):
    """A bundle is missing, damaged, too new, or lacks what was asked of it."""


class BackendError(TadsrError):
    """An engine is unknown, not installed, cannot load the model, or gave an unusable result."""


class SettingError(TadsrError):
    """An option has a value that cannot work."""


class TileError(SettingError):
    """A tile size that does not suit the network or the picture."""


class OutOfMemoryError(BackendError):
    """An engine found too little memory for what it was to run."""


class Cancelled(TadsrError):  # noqa: N818  (no error of anyone's)
    """The caller's `cancel` asked for an end."""
