"""Shapes of what the API answers, for its document: small JSON schemas, closed where they can be."""

from __future__ import annotations

from typing import Any

Plain = dict[str, Any]


def thing(required: Plain, **more: Any) -> Plain:
    """Describe an object.

    Parameters
    ----------
    required : dict
        Schema of every key that is always there.
    **more
        Schema of keys that may be there.

    Returns
    -------
    dict
        A JSON schema.
    """
    return {
        "type": "object",
        "properties": {**required, **more},
        "required": list(required),
    }


def listed(of: Plain) -> Plain:
    """Describe a list.

    Parameters
    ----------
    of : dict
        Schema of its items.

    Returns
    -------
    dict
        A JSON schema.
    """
    return {"type": "array", "items": of}


TEXT: Plain = {"type": "string"}
WHOLE: Plain = {"type": "integer"}
NUMBER: Plain = {"type": "number"}
FLAG: Plain = {"type": "boolean"}
ANY: Plain = {}
OBJECT: Plain = {"type": "object"}
NUMBER_OR_NONE: Plain = {"type": ["number", "null"]}
TEXT_OR_NONE: Plain = {"type": ["string", "null"]}
BOTH = thing({"zh": TEXT, "en": TEXT})
WORDS = thing({"zh": listed(TEXT), "en": listed(TEXT)})

REFUSAL = thing({"error": TEXT, "zh": TEXT, "en": TEXT}, details=listed(TEXT))
SESSION = thing(
    {
        "user": TEXT, "role": {"enum": ["viewer", "editor", "approver"]},
        "mode": {"enum": ["local", "office"]}, "lang": {"enum": ["zh", "en"]}, "boot": TEXT,
        "county": TEXT, "can": listed({"enum": ["read", "edit", "approve"]}),
    }
)  # fmt: skip
_ENTRY: Plain = {
    "id": WHOLE, "name": TEXT, "version": WHOLE, "by": TEXT, "at": TEXT,
    "state": {"enum": ["draft", "approved"]}, "deleted": FLAG, "from": TEXT_OR_NONE,
    "summary": WORDS, "can_undo": FLAG, "can_redo": FLAG,
}  # fmt: skip
ENTRY = thing(_ENTRY)
VARIANT = thing({**_ENTRY, "document": OBJECT})
CHANGE = thing(
    {
        "seq": WHOLE, "variant": WHOLE, "name": TEXT, "version": WHOLE, "at": TEXT, "by": TEXT,
        "why": TEXT, "kind": TEXT, "words": WORDS,
    }
)  # fmt: skip
CONFLICT = thing(
    {"error": {"enum": ["conflict", "approved"]}, "zh": TEXT, "en": TEXT, "variant": VARIANT,
     "changes": listed(CHANGE)},
    expected=WHOLE, version=WHOLE,
)  # fmt: skip
ANSWER = thing(
    {
        "year": WHOLE, "years": listed(WHOLE), "digest": TEXT, "sites_added": listed(OBJECT),
        "plan": OBJECT, "network": listed(WHOLE), "limits": OBJECT,
        "figures": listed(
            thing({"name": TEXT, "unit": TEXT, "scope": TEXT, "id": TEXT, "today": NUMBER_OR_NONE,
                   "plan": NUMBER_OR_NONE})
        ),
        "worse": listed(OBJECT), "worse_students": WHOLE, "better_students": WHOLE,
        "moved_students": WHOLE, "gate": listed(OBJECT), "notes": listed(BOTH), "check": TEXT,
        "ms": NUMBER,
    },
    version=WHOLE,
)  # fmt: skip
CHANGED = thing({"variant": VARIANT, "answer": {"anyOf": [ANSWER, {"type": "null"}]}})
CHECK = thing(
    {"state": {"enum": ["done", "failed", "pending"]}},
    version=WHOLE, indicators=listed(OBJECT), findings=OBJECT, ledger=listed(ANY),
    conservation=listed(ANY), reasons=OBJECT, classes=listed(ANY), gate=listed(OBJECT),
    new_findings=listed(WHOLE), agrees=FLAG, plan=OBJECT, notes=listed(TEXT), zh=TEXT, en=TEXT,
)  # fmt: skip
JOB = thing(
    {
        "id": WHOLE, "kind": TEXT, "variant": WHOLE, "version": WHOLE, "by": TEXT, "at": TEXT,
        "state": {"enum": ["queued", "running", "done", "stopped", "failed", "lost"]},
        "seconds": NUMBER, "elapsed": NUMBER, "text": BOTH, "best": NUMBER_OR_NONE,
        "bound": NUMBER_OR_NONE, "gap": NUMBER_OR_NONE,
        "result": {"type": ["object", "null"]}, "error": {"anyOf": [BOTH, {"type": "null"}]},
    },
    why=TEXT,
)  # fmt: skip
IMPORT = thing(
    {
        "import": TEXT, "ok": FLAG, "errors": WHOLE, "warnings": WHOLE, "counts": OBJECT,
        "county": TEXT, "can_set_aside": FLAG, "more": WHOLE, "skipped": listed(TEXT),
        "problems": listed(
            thing({"layer": TEXT, "row": {"type": ["integer", "null"]}, "column": TEXT,
                   "value": TEXT, "code": TEXT, "severity": TEXT, "zh": TEXT, "en": TEXT,
                   "remedy_zh": TEXT, "remedy_en": TEXT,
                   "at": {"anyOf": [listed(NUMBER), {"type": "null"}]}})
        ),
    }
)  # fmt: skip
COMPARISON = thing(
    {"year": WHOLE, "columns": listed(OBJECT), "rows": listed(OBJECT), "villages": listed(OBJECT)}
)
