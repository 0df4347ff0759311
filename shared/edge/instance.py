"""What every function's instance is made ready with, while the framework loads the function."""

from shared.edge.framework import keep_our_logs_and_our_worker
from shared.edge.garbage import calm_the_collector
from shared.edge.logs import configure_logging
from shared.edge.settings import settings


def prepare_instance() -> None:
    """Read the settings, so that who may not serve does not start; see to the logs, the worker and the collector."""
    keep_our_logs_and_our_worker()
    configure_logging(settings().log_level)
    calm_the_collector()
