"""All statements, in the order of the references."""

from conformance.case import Case
from conformance.query_cases import QUERY_CASES

CASES: list[Case] = [*QUERY_CASES]
