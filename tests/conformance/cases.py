"""All statements, in the order of the references."""

from conformance.call_cases import CALL_CASES
from conformance.case import Case
from conformance.contract_cases import CONTRACT_CASES
from conformance.query_cases import QUERY_CASES
from conformance.runtime_cases import RUNTIME_CASES
from conformance.search_cases import SEARCH_CASES
from conformance.write_cases import WRITE_CASES

CASES: list[Case] = [
    *QUERY_CASES,
    *SEARCH_CASES,
    *WRITE_CASES,
    *CALL_CASES,
    *RUNTIME_CASES,
    *CONTRACT_CASES,
]
