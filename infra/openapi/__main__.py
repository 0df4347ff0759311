"""``python -m infra.openapi``: write ``infra/openapi.json`` anew."""

from infra.openapi.document import OPENAPI, as_text, document


def main() -> None:
    """Write the document."""
    OPENAPI.write_text(as_text(document()))


if __name__ == "__main__":
    main()
