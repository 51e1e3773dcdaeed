"""The API: every path under /v1, and those that watch a server."""

from resolvent.web.routes import jobs, lists, photographs, results, watching

__all__ = ["ROUTERS"]

ROUTERS = (photographs.router, jobs.router, results.router, lists.router, watching.router)
