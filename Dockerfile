# A static binary and nothing else. Build: docker build --build-arg VERSION=v1.2.3 -t daybook .
# VERSION is what `daybook version` says; without it, "dev". docs/operations/containers.md says how to run the image.
ARG GO=1.26

FROM --platform=$BUILDPLATFORM golang:${GO}-bookworm AS build
WORKDIR /src
COPY . .
ARG VERSION=dev
ARG TARGETOS
ARG TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -ldflags "-s -w -X main.release=$VERSION" -o /out/daybook ./server/cmd/daybook
RUN mkdir /out/data /out/tmp && chmod 1777 /out/tmp

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/tmp /tmp
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build /out/daybook /usr/local/bin/daybook
ENV PATH=/usr/local/bin DAYBOOK_LISTEN=:8080 DAYBOOK_DB=/data/daybook.db
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["daybook", "doctor", "--ready", "-q"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["daybook"]
CMD ["serve"]
