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
    """An engine has not enough memory for what it was given: a smaller tile may fit."""


class Cancelled(TadsrError):  # noqa: N818  (no error of anyone's)
    """The caller's `cancel` asked for an end."""


class BackendWarning(UserWarning):
    """The engine that `backend="auto"` chose cannot be used: one line that says why, and which one takes its place."""


class PictureWarning(UserWarning):
    """Something of a picture could not be kept: one line that says what, of which file, and what would keep it."""


def one_line(error: Exception) -> str:
    """What an error of a library says, as part of one line of ours.

    >>> one_line(ValueError("unable to read\\n  end of file\\n"))
    'unable to read; end of file'
    """
    lines = [line.strip() for line in (getattr(error, "strerror", None) or str(error)).splitlines()]
    return "; ".join(filter(None, lines))[:300] or type(error).__name__
