"""The domain of an e-mail address, in the one form in which domains are compared."""

import re

import idna

PUBLIC_MAIL_DOMAINS = frozenset(
    {
        *("gmail.com", "googlemail.com"),
        *("outlook.com", "hotmail.com", "live.com", "msn.com", "passport.com"),
        *("yahoo.com", "ymail.com", "rocketmail.com", "aol.com"),
        *("icloud.com", "me.com", "mac.com"),
        *("proton.me", "protonmail.com", "pm.me", "tutanota.com", "tuta.com", "hey.com", "fastmail.com"),
        *("gmx.com", "gmx.net", "gmx.de", "gmx.at", "gmx.ch", "web.de", "t-online.de", "freenet.de", "mail.de"),
        *("orange.fr", "wanadoo.fr", "free.fr", "laposte.net", "sfr.fr", "hotmail.fr", "yahoo.fr"),
        *("libero.it", "virgilio.it", "tiscali.it", "hotmail.it", "yahoo.it"),
        *("hotmail.co.uk", "yahoo.co.uk", "btinternet.com", "hotmail.de", "yahoo.de", "outlook.de", "live.de"),
        *("mail.ru", "bk.ru", "inbox.ru", "list.ru", "yandex.ru", "yandex.com", "ya.ru"),
        *("qq.com", "foxmail.com", "163.com", "126.com", "sina.com", "sohu.com", "naver.com", "daum.net"),
        *("yahoo.co.jp", "docomo.ne.jp", "rediffmail.com", "uol.com.br", "bol.com.br", "terra.com.br"),
        *("comcast.net", "verizon.net", "att.net", "sbcglobal.net", "zoho.com", "mail.com", "mailinator.com"),
    }
)
"""Anybody gets an address of these domains, so they say nothing about where a person works.

No list of them is complete. The vendor checks that a domain is the customer's before adding it.
"""

_ADDRESS = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")


def is_address(address: str) -> bool:
    """Whether it is a name, an @ and a domain that can exist."""
    return _ADDRESS.fullmatch(address) is not None and domain_of(address) is not None


def normal_domain(domain: str) -> str | None:
    """Give the form in which domains are compared: IDNA, in small letters; ``None`` if it is no domain of two parts.

    Source: Unicode's UTS 46, non-transitional, as browsers do.
    """
    try:
        normal = idna.encode(domain.strip(), uts46=True, std3_rules=True).decode().lower()
    except (idna.IDNAError, UnicodeError):
        return None
    return normal if "." in normal.strip(".") and not normal.endswith(".") else None


def domain_of(address: str) -> str | None:
    """The domain of an address, in its normal form; ``None`` if it has none."""
    name, at, domain = address.rpartition("@")
    return normal_domain(domain) if name and at and "@" not in name else None
