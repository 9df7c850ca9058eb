# Two images: `operator`, and `dataplane` with the daemons that region and rack pods run.
#
# Source comes last in both, so that a change of code rebuilds in seconds. Debian packages are pinned to the upstream
# release that the rendered configuration was tested with; Debian's fixes to that release still arrive, because an
# exact revision would vanish from the archive with the next fix and break every build.
ARG BASE=debian:trixie-slim

FROM ${BASE} AS python
ENV DEBIAN_FRONTEND=noninteractive PYTHONDONTWRITEBYTECODE=1
RUN apt-get update \
 && apt-get install -y --no-install-recommends 'python3=3.13.*' \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log \
 && groupadd --gid 10240 rackrelay \
 && useradd --uid 10240 --gid 10240 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin rackrelay

# Dependencies are installed beside the interpreter by a stage of their own: no pip and no compiler in the images.
# They come from /wheelhouse when a folder with wheels is mounted there, else from the package index.
FROM python AS pip
ENV INSTALL="python3 -m pip install --require-hashes --only-binary :all: --no-deps --no-cache-dir \
  --root-user-action ignore --target /libraries"
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip
COPY requirements/ /requirements/

FROM pip AS operator-libraries
RUN if [ -n "$(ls -A /wheelhouse 2>/dev/null)" ]; then INSTALL="$INSTALL --no-index --find-links /wheelhouse"; fi \
 && $INSTALL --requirement /requirements/operator.txt && rm -rf /libraries/bin && python3 -m compileall -q /libraries

FROM pip AS dataplane-libraries
RUN if [ -n "$(ls -A /wheelhouse 2>/dev/null)" ]; then INSTALL="$INSTALL --no-index --find-links /wheelhouse"; fi \
 && $INSTALL --requirement /requirements/dataplane.txt && rm -rf /libraries/bin && python3 -m compileall -q /libraries

FROM python AS operator
ENV PYTHONPATH=/opt/rackrelay/source:/opt/rackrelay/libraries PYTHONUNBUFFERED=1
COPY --from=operator-libraries /libraries /opt/rackrelay/libraries
COPY operator/rackrelay/ /opt/rackrelay/source/rackrelay/
RUN python3 -m compileall -q /opt/rackrelay/source
USER 10240:10240
CMD ["python3", "-m", "rackrelay"]

FROM python AS daemons
# No daemon may start while its package is set up; keys and configuration that the packages leave behind go away again.
RUN printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d \
 && apt-get update \
 && apt-get install -y --no-install-recommends \
      'bind9=1:9.20.*' 'bind9-utils=1:9.20.*' \
      'nginx=1.26.*' 'libnginx-mod-stream=1.26.*' \
      'squid=6.*' \
      'rsyslog=8.2504.*' 'rsyslog-relp=8.2504.*' \
 && rm -rf /usr/sbin/policy-rc.d /var/lib/apt/lists/* /var/cache/* /var/log/* /var/spool/squid /var/www \
      /etc/nginx /etc/rsyslog.conf /etc/rsyslog.d /etc/squid/conf.d /etc/squid/squid.conf \
      /etc/bind/rndc.key /etc/bind/named.conf* /etc/bind/zones.rfc1918 /etc/bind/db.* \
 && mkdir -p /var/lib/rackrelay /run/rackrelay /etc/rackrelay /var/cache/bind

FROM daemons AS dataplane
ENV PYTHONPATH=/opt/rackrelay/source:/opt/rackrelay/libraries PYTHONUNBUFFERED=1
COPY --from=dataplane-libraries /libraries /opt/rackrelay/libraries
COPY operator/rackrelay/*.py /opt/rackrelay/source/rackrelay/
COPY operator/rackrelay/agent/ /opt/rackrelay/source/rackrelay/agent/
COPY operator/rackrelay/protocol/ /opt/rackrelay/source/rackrelay/protocol/
COPY operator/rackrelay/daemons/ /opt/rackrelay/source/rackrelay/daemons/
# The agent pulls and applies the zone with the operator's own code.
COPY operator/rackrelay/model/ /opt/rackrelay/source/rackrelay/model/
COPY operator/rackrelay/zone/ /opt/rackrelay/source/rackrelay/zone/
COPY operator/rackrelay/nameservers/ /opt/rackrelay/source/rackrelay/nameservers/
COPY operator/rackrelay/metadata/ /opt/rackrelay/source/rackrelay/metadata/
RUN python3 -m compileall -q /opt/rackrelay/source
USER 10240:10240
CMD ["python3", "-m", "rackrelay.agent"]
