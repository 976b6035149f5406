"""What every test shares."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from node_packages import put_node_of_packages_on_path

# How long an example takes says something about the machine, not about the code.
settings.register_profile("parabola", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("parabola")

# Hosts, clients and command lines run on one Node.js, the one for which the packages were installed.
put_node_of_packages_on_path()
