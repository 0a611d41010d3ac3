"""Places: class formation, school places, large classes and their ledger."""

from catchment.places.carry import Continued, ReadLedger, ThisYear, carry, read_ledger
from catchment.places.classes import (
    ClassTable,
    class_sizes,
    class_table,
    classes_for_plan,
    form_classes,
    needed_classes,
)
from catchment.places.elimination import Elimination, eliminate
from catchment.places.ledger import LedgerFacts, classes_today, ledger
from catchment.places.limits import CATEGORIES, ClassLimits
from catchment.places.needs import (
    SUBJECTS,
    NeedFactors,
    Needs,
    begins,
    compare_class_sizes,
    needs,
    smaller_classes,
    spell,
)
from catchment.places.own import OwnClass, own_classes
from catchment.places.seats import places, seats

__all__ = [
    "CATEGORIES",
    "SUBJECTS",
    "ClassLimits",
    "ClassTable",
    "Continued",
    "Elimination",
    "LedgerFacts",
    "NeedFactors",
    "Needs",
    "OwnClass",
    "ReadLedger",
    "ThisYear",
    "begins",
    "carry",
    "class_sizes",
    "class_table",
    "classes_for_plan",
    "classes_today",
    "compare_class_sizes",
    "eliminate",
    "form_classes",
    "ledger",
    "needed_classes",
    "needs",
    "own_classes",
    "places",
    "read_ledger",
    "seats",
    "smaller_classes",
    "spell",
]
