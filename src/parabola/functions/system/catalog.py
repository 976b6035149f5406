"""All system functions there are. Few servers are asked for one, so they are imported with the first call."""

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
