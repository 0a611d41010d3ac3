"""Files of a run: whole or not at all, and with the same bytes for the same content."""

from __future__ import annotations

import io
import zipfile

from catchment.files import write_atomically, write_bytes, write_text

__all__ = ["steady_zip", "write_atomically", "write_bytes", "write_text"]

_EPOCH = (1980, 1, 1, 0, 0, 0)


def steady_zip(content: bytes) -> bytes:
    """Pack an office file anew with fixed dates, so that equal content has equal bytes.

    Parameters
    ----------
    content : bytes
        A zip archive (docx, xlsx).

    Returns
    -------
    bytes
        The same members in the same order, dated 1980-01-01.
    """
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as new,
    ):
        for member in old.infolist():
            info = zipfile.ZipInfo(member.filename, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o600 << 16
            info.create_system = 0
            new.writestr(info, old.read(member))
    return out.getvalue()
