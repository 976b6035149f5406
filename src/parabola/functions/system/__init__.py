"""`_system/...` functions, in Python: what the command line and the dashboard call (deploy-api §19)."""

from parabola.functions.system import cli as cli
from parabola.functions.system import frontend_audit as frontend_audit
from parabola.functions.system import frontend_crons as frontend_crons
from parabola.functions.system import frontend_deployment as frontend_deployment
from parabola.functions.system import frontend_documents as frontend_documents
from parabola.functions.system import frontend_edits as frontend_edits
from parabola.functions.system import frontend_files as frontend_files
from parabola.functions.system import frontend_jobs as frontend_jobs
from parabola.functions.system import frontend_schemas as frontend_schemas
from parabola.functions.system import snapshots as snapshots
from parabola.functions.system.registry import SYSTEM_FUNCTIONS, SystemContext, system_function

__all__ = ["SYSTEM_FUNCTIONS", "SystemContext", "system_function"]
