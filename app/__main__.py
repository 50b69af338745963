"""`python -m app`: what `litestar run` does, without the rest of that command line."""

import gc

gc.disable()  # What is imported stays: there is nothing to find in it.

if __name__ == "__main__":
    from app.database.signals import install_exit_handlers, quiet_interrupts

    install_exit_handlers()
    with quiet_interrupts():
        from app.cli.run import run

    run(prog_name="python -m app")
