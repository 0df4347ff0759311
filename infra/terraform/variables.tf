# Each environment is a project of its own. Firebase's users, the default database and its rules
# belong to a project, so two environments in one project could not be kept apart. That is why no
# resource has the environment in its name.

variable "project_id" {
  description = "The Google Cloud project. No variable file sets it: give it with -var=project_id=... or TF_VAR_project_id."
  type        = string
}

variable "environment" {
  description = "The environment: development, staging or production."
  type        = string

  validation {
    condition     = contains(["development", "staging", "production"], var.environment)
    error_message = "The environment must be development, staging or production."
  }
}

variable "region" {
  description = "The region of the functions, the topic and everything else. Keep it near the database: an acquire makes two round trips to it."
  type        = string
  default     = "europe-west1"
}

variable "database" {
  description = "The Firestore database. Only the first one of a project has a free quota. If another app uses the default one, name another: its documents and its rules stay as they are. `make preflight` says whether it is in use."
  type        = string
  default     = "(default)"
}

variable "database_location" {
  description = "The location of the database, which cannot be changed later. If null, the region. In a multi-region (eur3, nam5) reads and writes cost twice as much. It survives the loss of a region, but the functions do not."
  type        = string
  default     = null
}

variable "firestore_host" {
  description = "SEATLEASE_FIRESTORE_HOST: where the functions call Firestore. firestore.LOCATION.rep.googleapis.com keeps requests in the database's location, where Firestore has such an endpoint."
  type        = string
  default     = "firestore.googleapis.com"
}

variable "runtime" {
  description = "The functions' Python version. The tests run on 3.11 and later."
  type        = string
  default     = "python313"
}

variable "is_protected" {
  description = "If true, the database and the audit table refuse to be deleted, and the database keeps seven days of versions. If false, `terraform destroy` deletes everything."
  type        = bool
  default     = true
}

variable "keep_backups_days" {
  description = "How many days a protected database keeps each daily backup: at most 98."
  type        = number
  default     = 14
}

variable "warm_instances" {
  description = "How many instances of acquire always wait for work, and how many of heartbeat. An instance takes most of a second to start. An idle one costs about 10 USD a month."
  type        = number
  default     = 0
}

variable "grant_all_users" {
  description = "If true, everybody gets the right to call the functions for clients. Set it to false only where an organization policy forbids that: infra/docs/deploy.md#all-users."
  type        = bool
  default     = true
}

variable "trusted_proxy_hops" {
  description = "SEATLEASE_TRUSTED_PROXY_HOPS: how many proxies append to X-Forwarded-For. Read functions.tf before you change it."
  type        = number
  default     = 1
}

variable "address_header" {
  description = "SEATLEASE_ADDRESS_HEADER: the header that says a client's IP address: X-Forwarded-For, or Fastly-Client-IP of Firebase Hosting. Read functions.tf before you change it."
  type        = string
  default     = "X-Forwarded-For"

  validation {
    condition     = contains(["X-Forwarded-For", "Fastly-Client-IP"], var.address_header)
    error_message = "The header is X-Forwarded-For or Fastly-Client-IP."
  }
}

variable "ingress" {
  description = "How the client functions are reached: all (each at its own address), or internal-and-gclb (only through a load balancer of yours, for example with Cloud Armor; Firebase Hosting does not reach them then)."
  type        = string
  default     = "all"

  validation {
    condition     = contains(["all", "internal-and-gclb"], var.ingress)
    error_message = "The ingress must be all or internal-and-gclb."
  }
}

variable "client_addresses" {
  description = "SEATLEASE_CLIENT_ADDRESSES: what is kept of the IP addresses of clients: whole, shortened or none."
  type        = string
  default     = "whole"

  validation {
    condition     = contains(["whole", "shortened", "none"], var.client_addresses)
    error_message = "The addresses of clients are kept whole, shortened or none."
  }
}

variable "allowed_origins" {
  description = "SEATLEASE_ALLOWED_ORIGINS: the web pages that may call the functions from a browser, such as [\"https://app.example.com\"]. None by default. Pages on the functions' own domain need no entry."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for origin in var.allowed_origins : can(regex("^https://[a-z0-9.-]+(:[0-9]{1,5})?$", origin)) || (var.environment == "development" && can(regex("^http://localhost(:[0-9]{1,5})?$", origin)))])
    error_message = "Write origins as https://HOST or https://HOST:PORT, in small letters and without a path. Only the environment development may also allow http://localhost."
  }
}

variable "keep_sessions_days" {
  description = "SEATLEASE_KEEP_SESSIONS_DAYS: how many days after its end a session may be deleted."
  type        = number
  default     = 30
}

variable "keep_audit_events_days" {
  description = "SEATLEASE_KEEP_AUDIT_EVENTS_DAYS: after how many days an audit event may be deleted. At least a week more than keep_sessions_days."
  type        = number
  default     = 400
}

variable "log_level" {
  description = "SEATLEASE_LOG_LEVEL: DEBUG or INFO. The metrics need at least INFO."
  type        = string
  default     = "INFO"

  validation {
    condition     = contains(["DEBUG", "INFO"], var.log_level)
    error_message = "The log level must be DEBUG or INFO. With another level the metrics count no denials."
  }
}

variable "audit_in_bigquery" {
  description = "If true, the audit trail is written to BigQuery too, for queries in SQL."
  type        = bool
  default     = false
}

variable "keep_audit_table_days" {
  description = "How many days BigQuery keeps an audit event. Events name people. If null, it keeps them for ever."
  type        = number
  default     = 400
}

variable "alert_emails" {
  description = "The addresses that get an e-mail when an alert opens. If empty, alerts show in the console only."
  type        = set(string)
  default     = []
}

variable "runbook" {
  description = "The address of infra/docs/deploy.md in your repository's web view. An alert's e-mail links to its section."
  type        = string
  default     = "infra/docs/deploy.md"
}

variable "denials_an_hour" {
  description = "More denied acquires than this within an hour open an alert: an organization has too few seats."
  type        = number
  default     = 100
}

variable "public_keys" {
  description = "The public keys that programs verify leases with. The function keys shows them. `python -m infra.build.signing_keys` prints this line for the environment's variable file: infra/docs/deploy.md#the-signing-keys."
  type = object({
    keys = list(object({ kty = string, crv = string, x = string, kid = string, use = string, alg = string }))
  })
  default = { keys = [] }
}

variable "signing_keys_version" {
  description = "The version of the secret seatlease-signing-keys that signs leases. It must fit public_keys."
  type        = string
  default     = "1"
}

variable "build_folder" {
  description = "The folder with the archives and their manifest, from `python -m infra.build.stage`. If null, build/ beside this folder."
  type        = string
  default     = null
}
