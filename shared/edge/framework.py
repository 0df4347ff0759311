"""What the platform tells functions-framework by environment variables, and what is done about it instead."""

import os


def keep_our_logs_and_our_worker() -> None:
    """Undo two of the platform's variables while the framework loads the function, before it reads them.

    ``LOG_EXECUTION_ID``: the platform sets it to true. The framework then configures the logging once more, after the
    function's module was loaded: with a handler that tells no severity, and with every logger disabled that was there.
    A line has its request's id and trace without it (``logs.py``).

    ``CLOUD_RUN_TIMEOUT_SECONDS``: gunicorn would kill a worker that has not stirred for as long. An idle instance gets
    no processor time, so its worker would be killed when the next request came. How long a request may take, the
    platform sees to itself.

    Source: functions-framework 3.10, ``aio/__init__.py`` and ``_http/gunicorn.py``.
    """
    os.environ["LOG_EXECUTION_ID"] = "false"
    os.environ.pop("CLOUD_RUN_TIMEOUT_SECONDS", None)
