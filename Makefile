# Claimsmith's commands. `make` lists them.
#
# Everything is written below build/ and node_modules/, temporary files included; only the caches of Go, npm, pip and CDK
# are shared with the rest of the machine.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

# With -trimpath the build cache does not mind where modules are, so the CDK bindings, a minute or more to compile, serve the
# apps that the tests make with module caches of their own.
export GOFLAGS := $(strip $(shell go env GOFLAGS 2>/dev/null) -trimpath)
export TMPDIR := $(CURDIR)/build/tmp
export CDK_DISABLE_CLI_TELEMETRY := true
export STATICCHECK_CACHE := $(CURDIR)/build/staticcheck-cache
export JSII_RUNTIME_PACKAGE_CACHE_ROOT := $(CURDIR)/build/jsii-cache
# jsii works on Node 20 but prints a banner about it.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20

CDK := node_modules/.bin/cdk
CHECKERS := build/validate/installed
FUZZTIME ?= 30s
START := $(shell date +%s)
STATICCHECK := go tool -modfile=tools/go.mod staticcheck
AUDIT := go tool -modfile=tools/audit/go.mod
DEPLOYED := authorizer claims claimslookup attach
# Go's vulnerability database as a Go module, which comes from where all modules do. Newer ones know more.
VULNDB_VERSION ?= v0.0.0-20261105234957-e22db6528018

# The packages that run CDK in a Node process. The others are tested with the race detector; these are not, since it
# would compile the CDK bindings, some hundred megabytes, a second time, and since the code in them is sequential.
CDK_PACKAGES = $(shell go list ./... | grep -E '/(construct(/snapshot)?|example-app)$$')
PURE_PACKAGES = $(shell go list ./... | grep -vE '/(construct(/snapshot|/internal/consumer)?|example-app)$$')

# say announces a part of a longer command.
say = @printf '\n== %s\n' "$(1)"

.PHONY: help
help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

.PHONY: test
test: check ## everything that can be tested without deploying: checks, unit, table and golden tests
	$(call say,tests with the race detector)
	@go test -race $(PURE_PACKAGES)
	@go test -v ./lambda/apigw/corpus | grep '^corpus:'
	@go -C tools/bench test .
	$(call say,the functions under fault for half a minute (make soak takes longer))
	@go -C tools/soak run . -short
	$(call say,tests of the CDK half (the first build of the CDK bindings takes minutes))
	@go test $(CDK_PACKAGES)
	@$(MAKE) --no-print-directory validate lifecycle vuln
	@printf '\nmake test: all passed in %d s\n' $$(($$(date +%s) - $(START)))

.PHONY: check
check: build/tmp need-go need-node ## format, vet, staticcheck, tidy
	$(call say,gofmt)
	@files=$$(gofmt -l construct internal lambda example-app tools); [ -z "$$files" ] || { echo "not formatted, run make fmt:"; echo "$$files"; exit 1; }
	$(call say,go mod tidy)
	@go mod tidy -diff
	@go -C tools mod tidy -diff
	@go -C tools/bench mod tidy -diff
	@go -C tools/validate mod tidy -diff
	@go -C tools/soak mod tidy -diff
	@go -C tools/audit mod tidy -diff
	$(call say,go vet)
	@go vet ./...
	@go -C tools vet ./...
	@go -C tools/bench vet ./...
	@go -C tools/validate vet ./...
	@go -C tools/soak vet ./...
	$(call say,staticcheck)
	@$(STATICCHECK) ./...

.PHONY: validate
validate: build/tmp need-go need-node $(CHECKERS) ## have cfn-lint, cfn-guard, Checkov and cdk-nag look at every template
	$(call say,other people's checkers on our templates)
	@[ -e $(CHECKERS) ] || echo "NOT CHECKED by cfn-lint, cfn-guard and Checkov: they could not be installed, see above"
	@go -C tools/validate test -count=1 .

.PHONY: lifecycle
lifecycle: build/tmp need-go ## get Claimsmith as a user does; deploy, change and destroy apps on a local AWS
	$(call say,apps that got Claimsmith from a module proxy)
	@go build -o build/bin/demo ./example-app/demo
	@test="go test -count=1 ./construct/internal/consumer ./lambda/lookup"; \
	if [ "$$(uname)" = Linux ]; then build/bin/demo -with $$test; else echo "NOT TESTED: deploying; the local AWS needs Linux"; $$test; fi

.PHONY: demo
demo: build/tmp need-go ## deploy the example to a local AWS and show who gets what; KEEP=1 leaves it up
	@go build -o build/bin/demo ./example-app/demo
	@exec build/bin/demo $(if $(KEEP),-keep)

.PHONY: synth
synth: $(CDK) build/tmp need-go ## print the example's CloudFormation template
	@$(CDK) synth --no-notices --output build/cdk.out

.PHONY: deploy
deploy: $(CDK) build/tmp need-go ## deploy the example to your AWS account, after asking
	@$(CDK) deploy --no-notices --output build/cdk.out

.PHONY: golden
golden: build/tmp need-go need-node ## rewrite the golden templates; read the diff before you commit it
	@go test ./construct ./construct/snapshot -update
	@go test ./lambda/policy -run Schema -update
	@go test ./lambda/policy/cmd/claimsmith -update

.PHONY: bench
bench: build/tmp need-go ## measure everything beside its floor and its peers, and write docs/performance.md, in some minutes
	@go -C tools/bench run .

.PHONY: bench-synth
bench-synth: build/tmp need-go need-node ## compare synthesizing the example with CDK alone
	@go -C tools/bench run . -only synth
	@go test -run '^$$' -bench Unchanged -benchtime 20x ./internal/gobuild | grep ^Benchmark

.PHONY: soak
soak: build/tmp need-go ## run both functions as deployed through 100,000 events each and every fault, in five minutes
	@go -C tools/soak run .

.PHONY: sbom
sbom: build/tmp need-go ## write what the deployed functions are made of, read from the binaries, as CycloneDX to build/sbom
	@mkdir -p build/sbom
	@for name in $(DEPLOYED); do \
		CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go build -o build/sbom/$$name -trimpath -buildvcs=false -ldflags='-s -w' \
			-tags=lambda.norpc ./lambda/$$name; \
		$(AUDIT) cyclonedx-gomod bin -json -std -noserial -version "$$(git describe --tags --always --dirty 2>/dev/null || echo unversioned)" -notimestamp -output build/sbom/$$name.cdx.json build/sbom/$$name; \
		printf '%s: %d components\n' build/sbom/$$name.cdx.json $$(grep -c '"type": "library"' build/sbom/$$name.cdx.json); \
	done

# govulncheck exits with 3 when it finds something. What it finds in the standard library is mended by the Go that builds,
# not here, and so no failure.
.PHONY: vuln
vuln: build/tmp need-go ## ask Go's vulnerability database about what is deployed; VULNDB_VERSION=latest for today's
	$(call say,known vulnerabilities in what is deployed)
	@data=$$(go mod download -json golang.org/x/vulndb@$(VULNDB_VERSION) | sed -n 's/^.*"Dir": "\(.*\)",$$/\1/p')/data/osv || { \
		echo "make vuln: golang.org/x/vulndb@$(VULNDB_VERSION) could not be downloaded; go mod download says why"; exit 1; }; \
	code=0; $(AUDIT) govulncheck -db "file://$$data" $(addprefix ./lambda/,$(DEPLOYED)) > build/vuln.txt || code=$$?; \
	grep -vE '^ +#[0-9]|Example traces|More info|^$$' build/vuln.txt; \
	[ $$code -eq 0 ] || { [ $$code -eq 3 ] && ! grep -q '^ *Module: ' build/vuln.txt; }

.PHONY: fuzz
fuzz: build/tmp need-go ## run every fuzz target for FUZZTIME (30s)
	@ran=0; for package in $$(go list ./lambda/...); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			printf '\n== %s %s\n' $$package $$target; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package; ran=$$((ran + 1)); \
		done; \
	done; echo "fuzzed $$ran targets"; [ $$ran -gt 0 ]

.PHONY: fmt
fmt: need-go ## format the code
	@gofmt -l -w construct internal lambda example-app tools

.PHONY: clean
clean: ## remove everything that the other commands made
	@rm -rf build node_modules cdk.out

$(CDK): package-lock.json
	$(call say,installing the CDK CLI)
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 22 or 24, see https://nodejs.org"; exit 1; }
	@npm ci --no-audit --no-fund
	@touch -c $@

# On a machine that cannot install them the tests skip what needs them; in CI that is an error.
$(CHECKERS): tools/validate/requirements.txt tools/validate/package-lock.json | build/tmp
	$(call say,installing cfn-lint and cfn-guard and Checkov)
	@rm -rf build/validate; mkdir -p build/validate
	@cp tools/validate/package.json tools/validate/package-lock.json build/validate
	@if python3 -m venv build/validate/venv && \
		build/validate/venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
			-r tools/validate/requirements.txt && \
		npm ci --prefix build/validate --legacy-peer-deps --no-audit --no-fund; \
	then touch $@; else [ "$${CI:-}" != true ]; fi

build/tmp:
	@mkdir -p $@

.PHONY: need-go need-node
need-go:
	@command -v go >/dev/null || { echo "go is missing: install Go 1.26 or newer, see https://go.dev/dl"; exit 1; }
need-node:
	@command -v node >/dev/null || { echo "node is missing: install Node.js 22 or 24, see https://nodejs.org"; exit 1; }
