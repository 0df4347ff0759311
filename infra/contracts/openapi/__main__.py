"""``python -m infra.contracts.openapi`` writes ``infra/contracts/openapi.json``."""

from infra.contracts.openapi.document import OPENAPI, as_text, document


def main() -> None:
    OPENAPI.write_text(as_text(document()))


if __name__ == "__main__":
    main()
