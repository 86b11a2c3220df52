# Tributary as one binary in a small image that does not run as root.
#
# No container can be built where this is developed: this file is kept right by reading it.
# DuckDB is compiled into the binary (feature `bundled`), which takes half an hour on two cores.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package tributary --features bundled

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libstdc++6 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /var/lib/tributary tributary
COPY --from=build /src/target/release/tributary /usr/local/bin/tributary
USER tributary
# The configuration is expected here as tributary.yaml, and local warehouses are written here.
WORKDIR /var/lib/tributary
ENTRYPOINT ["tributary"]
CMD ["--help"]
