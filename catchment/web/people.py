"""Who is at the table: the one-time link of one person, the named users of an office."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
import unicodedata
from collections import OrderedDict

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from catchment.errors import InputError
from catchment.views.plain import plain
from catchment.web.guard import Rate
from catchment.web.store import Store

ROLES = ("viewer", "editor", "approver")
"""From least to most: read; read and edit; read, edit and approve."""
ALONE = ("本机", "approver")
"""The one person of a workbench without users."""
_FRESH = 30.0


def can(role: str) -> list[str]:
    """Say what a role may do.

    Parameters
    ----------
    role : str
        One of :data:`ROLES`.

    Returns
    -------
    list of str
        ``read``, ``edit``, ``approve``.
    """
    return ["read", "edit", "approve"][: ROLES.index(role) + 1]


class People:
    """Sessions, the one-time link and passwords.

    Parameters
    ----------
    store : Store
        Where sessions and users are kept.
    office : bool
        Whether named users log in; otherwise one person opens a link.
    """

    def __init__(self, store: Store, *, office: bool) -> None:
        self.store = store
        self.office = office
        self.link = "" if office else secrets.token_urlsafe(32)
        self._hasher = PasswordHasher()
        self._nobody = self._hasher.hash(secrets.token_urlsafe(12))
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, tuple[tuple[str, str], float]] = OrderedDict()
        self.tries = Rate(each=1 / 20, reserve=6)
        self.tries_of_all = Rate(each=2, reserve=30)

    def who(self, token: str) -> tuple[str, str] | None:
        """Find who a cookie belongs to.

        Parameters
        ----------
        token : str
            Value of the cookie.

        Returns
        -------
        (str, str) or None
            Name and role.
        """
        now = time.monotonic()
        with self._lock:
            held = self._seen.get(token)
            if held is not None and now - held[1] < _FRESH:
                return held[0]
        found = self.store.session(token)
        with self._lock:
            self._seen.pop(token, None)
            if found is not None:
                self._seen[token] = (found, now)
                while len(self._seen) > 2000:
                    self._seen.popitem(last=False)
        return found

    def open_link(self, token: str) -> str | None:
        """Turn the one-time link into a session; it works once.

        Parameters
        ----------
        token : str
            From the link.

        Returns
        -------
        str or None
            Token of the session.
        """
        with self._lock:
            good = bool(self.link) and hmac.compare_digest(
                token.encode("utf-8", "replace"), self.link.encode()
            )
            if not good:
                return None
            self.link = ""
        return self.store.open_session(*ALONE)

    def new_link(self) -> str:
        """Make another one-time link.

        Returns
        -------
        str
            Its token.
        """
        with self._lock:
            self.link = secrets.token_urlsafe(32)
            return self.link

    def log_in(self, name: str, password: str) -> str | None:
        """Check a password and begin a session.

        Parameters
        ----------
        name, password : str
            As typed.

        Returns
        -------
        str or None
            Token of the session; None where name or password are wrong.
        """
        user = self.store.user(folded(name))
        try:
            # The hash of nobody takes as long, so that names cannot be found out by the clock.
            self._hasher.verify(user[1] if user else self._nobody, password)
        except (VerificationError, InvalidHashError):
            return None
        return self.store.open_session(folded(name), user[0]) if user else None

    def log_out(self, token: str) -> None:
        """End a session.

        Parameters
        ----------
        token : str
            Value of the cookie.
        """
        with self._lock:
            self._seen.pop(token, None)
        self.store.close_session(token)


def add_user(store: Store, name: str, role: str, password: str) -> None:
    """Add a user of the office, or change role and password.

    Parameters
    ----------
    store : Store
        Where users are kept.
    name : str
        1 to 40 signs.
    role : str
        One of :data:`ROLES`.
    password : str
        10 signs at least.

    Raises
    ------
    InputError
        When one of them will not do.
    """
    clean = folded(name)
    if not 1 <= len(clean) <= 40:
        raise InputError("用户名应为 1–40 个字符 / a user name has 1 to 40 signs")
    if role not in ROLES:
        raise InputError(f"角色 {role!r} 应为 {', '.join(ROLES)} 之一 / role must be one of these")
    if not 10 <= len(password) <= 200:
        raise InputError("密码至少 10 个字符 / a password has 10 signs at least")
    store.set_user(clean, role, PasswordHasher().hash(password))


def folded(name: str) -> str:
    """Bring the spellings of a name together: one user, one key.

    Parameters
    ----------
    name : str
        As typed.

    Returns
    -------
    str
        As kept.
    """
    return plain(unicodedata.normalize("NFKC", name), longest=80)
