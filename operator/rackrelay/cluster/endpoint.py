"""Where the API server is and how to prove who we are: from the pod's service account, or from KUBECONFIG."""

import os
import ssl
from dataclasses import dataclass, field

from kubernetes.aio import client as kubernetes
from kubernetes.aio import config
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.incluster_config import SERVICE_TOKEN_FILENAME

from rackrelay.errors import ClusterError


@dataclass(frozen=True)
class Endpoint:
    """One API server. A token file, when there is one, is read again now and then: its content changes."""

    configuration: kubernetes.Configuration = field(repr=False)
    server: str
    ca_file: str | None
    token: str = field(default="", repr=False)
    token_file: str = ""

    def tls(self) -> ssl.SSLContext:
        """Verifies the API server by the cluster's CA, as strictly as kubectl does."""
        context = ssl.create_default_context(cafile=self.ca_file)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context


async def find_endpoint() -> Endpoint:
    """The API server to talk to.

    Raises:
        ClusterError: there is neither a service account nor a usable KUBECONFIG.
    """
    configuration = kubernetes.Configuration()
    try:
        if os.environ.get("KUBERNETES_SERVICE_HOST"):
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            token, token_file = "", SERVICE_TOKEN_FILENAME
        else:
            await config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            token, token_file = configuration.api_key.get("BearerToken", "").removeprefix("Bearer "), ""
    except ConfigException as error:
        raise ClusterError(f"no cluster to talk to: {error}") from error
    # Python 3.13 refuses CA certificates that lack extensions which kubectl and every Go client do without.
    configuration.disable_strict_ssl_verification = True
    return Endpoint(configuration, configuration.host, configuration.ssl_ca_cert, token, token_file)
