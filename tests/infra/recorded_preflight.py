"""A project as the preflight finds it, from the recordings: empty, or with a Firebase app in it."""

from infra.build.preflight.apis import needed_apis
from infra.build.preflight.policies import MEMBERS, PLACES
from infra.build.preflight.quotas import BUILD_CPUS, RUN_CPUS
from infra.build.stage import ROOT
from tests.infra.recorded_api import RecordedApi, recorded

PROJECT = "projects/demo-seatlease"
SERVICES = f"GET /v1/{PROJECT}/services"
BILLING = f"GET /v1/{PROJECT}/billingInfo"
FIREBASE = f"GET /v1beta1/{PROJECT}"
SIGN_IN = f"GET /admin/v2/{PROJECT}/config"
RIGHTS = f"POST /v3/{PROJECT}:getIamPolicy"
DATABASES = f"GET /v1/{PROJECT}/databases"
RELEASES = f"GET /v1/{PROJECT}/releases"
RULESET = f"GET /v1/{recorded('release')['rulesetName']}"
APP_ENGINE = "GET /v1/apps/demo-seatlease"
SITES = f"GET /v1beta1/{PROJECT}/sites"

OURS = (ROOT / "infra/firestore.rules").read_text()


def quota_of(metric: str) -> str:
    return f"GET /v1beta1/{PROJECT}/services/{metric.partition('/')[0]}/consumerQuotaMetrics/{metric}"


def policy_of(constraint: str) -> str:
    return f"GET /v2/{PROJECT}/policies/{constraint}:getEffectivePolicy"


def say_quota(api: RecordedApi, metric: str, limit: int) -> None:
    """The quota in europe-west1, for a request that asks for the quotas of all regions."""
    quota = recorded("quota")
    (limits,) = quota["consumerQuotaLimits"]
    limits["quotaBuckets"][1]["effectiveLimit"] = str(limit)
    basic = {**quota, "consumerQuotaLimits": [{**limits, "quotaBuckets": limits["quotaBuckets"][:1]}]}
    api.answers[quota_of(metric)] = lambda query: (200, quota if query.get("view") == ["FULL"] else basic)


def say_services(api: RecordedApi, names: list[str]) -> None:
    """The APIs that are on, two pages of them."""
    services = [{**recorded("service"), "name": f"projects/123456789012/services/{name}"} for name in names]
    pages = {"": {"services": services[:3], "nextPageToken": "more"}, "more": {"services": services[3:]}}
    api.answers[SERVICES] = lambda query: (200, pages["".join(query.get("pageToken", []))])


def say_rules(api: RecordedApi, release: str, content: str) -> None:
    """The rules of one release, which is the only one."""
    found = {**recorded("release"), "name": f"{PROJECT}/releases/{release}"}
    ruleset = recorded("ruleset")
    ruleset["source"]["files"][0]["content"] = content
    api.say(RELEASES, {"releases": [found]})
    api.say(f"{RELEASES}/{release}", found)
    api.say(RULESET, ruleset)


def say_database(api: RecordedApi, name: str = "(default)", **fields: str) -> None:
    """The only database."""
    api.say(DATABASES, {"databases": [{**recorded("database"), "name": f"{PROJECT}/databases/{name}", **fields}]})


def say_empty(api: RecordedApi) -> None:
    """A project that is ready, with nothing in it. Firebase made the Hosting site; App Engine's API is off."""
    say_services(api, needed_apis())
    api.say(BILLING, recorded("billing"))
    api.say(FIREBASE, recorded("firebase_project"))
    api.say(SIGN_IN, recorded("auth_config"))
    api.say(RIGHTS, recorded("iam_policy"))
    say_quota(api, RUN_CPUS, 20_000)
    say_quota(api, BUILD_CPUS, 10)
    for constraint in (*MEMBERS, PLACES):
        api.say(policy_of(constraint), {**recorded("policy"), "name": f"{PROJECT}/policies/{constraint}"})
    api.say(DATABASES, {})
    api.say(APP_ENGINE, recorded("service_disabled"), status=403)
    api.say(RELEASES, {})
    api.say(SITES, {"sites": [recorded("site")]})


def say_existing(api: RecordedApi) -> None:
    """The same with a Firebase app: the default database with rules of its own, and two Hosting sites."""
    say_empty(api)
    say_database(api)
    say_rules(api, "cloud.firestore", "service cloud.firestore {}")
    blog = {**recorded("site"), "name": f"{PROJECT}/sites/demo-blog", "type": "USER_SITE"}
    api.say(SITES, {"sites": [recorded("site"), blog]})
