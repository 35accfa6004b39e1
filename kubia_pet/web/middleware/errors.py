"""Error mapping: what each exception of the program is in HTTP."""

import logging

from aiohttp import web

from kubia_pet.store import PreconditionFailedError, StoreError, VolumeFullError
from kubia_pet.web.problem import ProblemError

log = logging.getLogger(__name__)


def problem_of(error: Exception, request: web.Request) -> ProblemError:
    """The error as its client sees it. One that the program does not know is logged, with its traceback."""
    match error:
        case ProblemError():
            return error
        case PreconditionFailedError():
            etag = {"ETag": f'"{error.current.etag}"'} if error.current else {}
            return ProblemError(412, str(error), headers=etag)
        case VolumeFullError():
            return ProblemError(507, str(error), code=error.code)
        case StoreError():
            return ProblemError(503, str(error), code=error.code)
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return ProblemError(405, f"{request.path} takes {allowed}.", headers={"Allow": allowed})
        case web.HTTPNotFound():
            return ProblemError(404, "There is nothing here: see / and /openapi.json.")
        case web.HTTPException():
            return ProblemError(error.status, f"{error.reason}.")
        case _:
            log.error("Failed to answer %s %s", request.method, request.raw_path, exc_info=error)
            return ProblemError(500, "The server failed to answer; its log says why.", close=True)
