# docker build -t lbcontrol:0.1.0.dev0 .    (another base by digest: --build-arg BASE=python@sha256:...)
# Two stages: the second has Python, what requirements/runtime.lock names, and lbcontrol; no pip, compiler or test.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
COPY requirements requirements
COPY scripts/install-runtime scripts/install-runtime
COPY scripts/lib scripts/lib
COPY clients/python/lookaside clients/python/lookaside
COPY docs/errors docs/errors
COPY lbcontrol lbcontrol
RUN scripts/install-runtime /opt/lbcontrol

FROM ${BASE}
# Python's own installers have nothing to do here; a state directory for who mounts no volume.
RUN rm -rf /usr/local/lib/python3.11/site-packages/* /usr/local/lib/python3.11/ensurepip /usr/local/bin/pip* \
  && install -d -o 65532 -g 65532 -m 0700 /var/lib/lbcontrol
COPY --from=build /opt/lbcontrol /opt/lbcontrol
COPY LICENSE /opt/lbcontrol/LICENSE
ENV PATH=/opt/lbcontrol/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /
EXPOSE 18000 18002
STOPSIGNAL SIGTERM
ENTRYPOINT ["lbcontrol"]
CMD ["serve"]
