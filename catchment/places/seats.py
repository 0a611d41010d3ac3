"""Places (学位): what rooms can hold, what they hold, what is short and what is spare."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from catchment.errors import InputError

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


def places(rooms: npt.ArrayLike, class_size: npt.ArrayLike, hosted: npt.ArrayLike) -> Int32:
    """Places by site and grade when the rooms are shared evenly by the grades taught.

    Parameters
    ----------
    rooms : array_like of int
        (m,) classrooms.
    class_size : array_like of int
        (m, g) most students of a standard class.
    hosted : array_like of bool
        (m, g) grades taught.

    Returns
    -------
    (m, g) int32
        Places. Each grade has the same number of rooms; rooms left over go to the lowest grades.
        The sum never exceeds rooms x the largest class size of the grades taught.

    Examples
    --------
    >>> places([7], [[45, 45, 45]], [[True, True, True]]).tolist()
    [[135, 90, 90]]
    """
    room = np.atleast_1d(np.asarray(rooms, dtype=np.int64))
    size = np.atleast_2d(np.asarray(class_size, dtype=np.int64))
    taught = np.atleast_2d(np.asarray(hosted, dtype=bool))
    if (room < 0).any() or (size < 1).any():
        raise InputError(
            "教室数应为非负整数，班额应为正整数 / rooms must be 0 or more, class sizes 1 or more"
        )
    number = taught.sum(axis=1)
    base, left = np.divmod(room, np.maximum(number, 1))
    order = np.cumsum(taught, axis=1) - 1
    share = base[:, None] + (order < left[:, None])
    return np.where(taught, share * size, 0).astype(np.int32)


def seats(
    students: npt.ArrayLike,
    rooms: npt.ArrayLike,
    class_size: npt.ArrayLike,
    hosted: npt.ArrayLike | None = None,
) -> tuple[Int32, Int32, Int32]:
    """Students seated within the standard class size, students short, and places to spare.

    Rooms go to grades so that the fewest students are without a place (each next room to the grade
    with most students still standing, up to a full class: exact, because a room more never seats
    more than the room before it).

    Parameters
    ----------
    students : array_like of int
        (m, g, t) students.
    rooms : array_like of int
        (m, t) classrooms.
    class_size : array_like of int
        (m, g) most students of a standard class.
    hosted : array_like of bool, optional
        (m, g, t) grades taught; rooms to spare count only where some grade is taught, with the
        smallest class size of those grades. All grades when left out.

    Returns
    -------
    places, shortfall, surplus : (m, t) int32
        ``students - shortfall = places - surplus`` always; rooms not needed count with the
        smallest class size of the grades taught. Places never exceed rooms x the largest class size.
    """
    count = np.asarray(students, dtype=np.int64)
    room = np.asarray(rooms, dtype=np.int64)
    size = np.asarray(class_size, dtype=np.int64)
    if (count < 0).any() or (room < 0).any() or (size < 1).any():
        raise InputError(
            "学生数、教室数应为非负整数，班额应为正整数 / students and rooms must be 0 or more, "
            "class sizes 1 or more"
        )
    need = -(-count // size[:, :, None])
    opened: Int64 = need.copy()
    for j, t in np.argwhere(need.sum(axis=1) > room):
        opened[j, :, t] = _rooms_for(count[j, :, t], int(room[j, t]), size[j])
    seated = np.minimum(count, opened * size[:, :, None])
    spare = np.maximum(room - opened.sum(axis=1), 0)
    taught = np.ones(count.shape, dtype=bool) if hosted is None else np.asarray(hosted, dtype=bool)
    taught = taught | (count > 0)
    big = np.iinfo(np.int64).max
    smallest = np.where(taught, size[:, :, None], big).min(axis=1)
    smallest = np.where(taught.any(axis=1), smallest, 0)
    held = (opened * size[:, :, None]).sum(axis=1) + spare * smallest
    shortfall = (count - seated).sum(axis=1)
    surplus = held - seated.sum(axis=1)
    return held.astype(np.int32), shortfall.astype(np.int32), surplus.astype(np.int32)


def _rooms_for(students: Int64, rooms: int, size: Int64) -> Int64:
    left = students.copy()
    opened = np.zeros_like(students)
    for _ in range(rooms):
        gain = np.minimum(left, size)
        best = int(gain.argmax())
        if gain[best] == 0:
            break
        left[best] -= gain[best]
        opened[best] += 1
    return opened
