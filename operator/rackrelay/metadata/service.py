"""The routes of the metadata service, without the process around them."""

from aiohttp import web

from rackrelay.protocol import paths

# MAAS's own data source asks for the dated one; `latest` is the same.
VERSIONS = ("latest", "2012-03-01")


def build_app() -> web.Application:
    """The application: the index of versions, 404 for everything else."""
    app = web.Application()
    app.router.add_get(paths.METADATA.rstrip("/"), answer_versions)
    app.router.add_get(paths.METADATA, answer_versions)
    return app


async def answer_versions(_request: web.Request) -> web.Response:
    """The versions, one a line."""
    return web.Response(text="\n".join(VERSIONS) + "\n")
