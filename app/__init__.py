"""The service."""


def create_app():  # type: ignore[no-untyped-def]  # PLACEHOLDER
    from app.application import create_app as create

    return create()
