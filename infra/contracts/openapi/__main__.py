"""``python -m infra.contracts.openapi``: write ``infra/contracts/openapi.json`` anew."""

from infra.contracts.openapi.document import OPENAPI, as_text, document


def main() -> None:
    """Write the document."""
    OPENAPI.write_text(as_text(document()))


if __name__ == "__main__":
    main()
