# Two stages: the first makes a virtual environment, the second is the base image and that directory.
# What a release is built on: image/base/Dockerfile, by digest.
ARG BASE=python:3.13-slim
FROM ${BASE} AS build

WORKDIR /build
# The same bytecode of the same source: one order of hashes, and none with a date in it, as pip's imports leave.
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
RUN apt-get update && apt-get install -y --no-install-recommends binutils
# What builds the wheel stays in this stage; the environment that leaves it has not even pip.
RUN python -m venv tools && python -m venv --without-pip /opt/kubia-pet
# Each package as a wheel and by its hash: nothing is compiled, nothing else gets in.
COPY requirements.lock requirements-build.lock ./
RUN tools/bin/pip install --only-binary :all: --require-hashes -r requirements-build.lock \
 && tools/bin/pip --python /opt/kubia-pet/bin/python \
    install --no-compile --only-binary :all: --require-hashes -r requirements.lock
# Wheels come with debugging information, four fifths of all their bytes.
RUN find /opt/kubia-pet/lib -name '*.so*' -exec strip --strip-unneeded {} +

COPY pyproject.toml README.md LICENSE ./
COPY kubia_pet kubia_pet
# Bytecode that is never checked against its source: what is in an image does not change.
RUN tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && tools/bin/pip --python /opt/kubia-pet/bin/python install --no-compile --no-deps --no-index dist/*.whl \
 && python -m compileall -q --invalidation-mode unchecked-hash /opt/kubia-pet/lib


FROM ${BASE}

LABEL org.opencontainers.image.title="kubia-pet" \
      org.opencontainers.image.description="The stateful pet of the Kubernetes world: one durable value, its peers by DNS, over HTTP" \
      org.opencontainers.image.version="1.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"

COPY --from=build /opt/kubia-pet /opt/kubia-pet
# The second is the C library's own default, which would otherwise grow with the blocks it sees: large values
# then stay with the process when they are freed (measured: 428 instead of 258 MiB after a burst of them).
ENV PATH=/opt/kubia-pet/bin:$PATH MALLOC_MMAP_THRESHOLD_=131072
# The volume's directory is its group's too: OpenShift runs an image as any user, in group 0. The official
# base image has no bytecode of the standard library, and a read-only root keeps none: what serving imports,
# some of it only as it is needed, gets it here.
RUN install -d -o 10001 -g 0 -m 0770 /var/data && python -c "import encodings.idna, importlib.readers, \
    importlib.resources._adapters, uvloop, kubia_pet.discovery.questions, kubia_pet.web.server"

VOLUME /var/data
EXPOSE 8080
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s CMD ["kubia-pet", "health"]
ENTRYPOINT ["kubia-pet"]
CMD ["serve"]
