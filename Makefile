# Other names for what cargo does. SIGN_KEY=FILE signs the builds, ARGS goes on.
.PHONY: dist-agent
dist-agent:
	cargo xtask dist-agent $(ARGS)
