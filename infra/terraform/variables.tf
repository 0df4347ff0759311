# One environment is one project: Firebase's users, the default database and its rules are a project's, so two
# environments in one project could not be kept apart. That is why no name below carries the environment's.

variable "project_id" {
  description = "The Google Cloud project. In no variable file, because it is yours: TF_VAR_project_id."
  type        = string
}

variable "environment" {
  description = "Which of the three it is."
  type        = string

  validation {
    condition     = contains(["development", "staging", "production"], var.environment)
    error_message = "The environment is development, staging or production."
  }
}

variable "region" {
  description = "Where the functions, the topic and everything else run. Near the database: an acquire makes two round trips to it."
  type        = string
  default     = "europe-west1"
}

variable "database" {
  description = "The Firestore database. The default one alone has a free quota."
  type        = string
  default     = "(default)"
}

variable "database_location" {
  description = "Where the database is; it cannot be changed later. The region if null. A multi-region (eur3, nam5) costs twice as much a read and write, and survives the loss of a region, which the functions do not."
  type        = string
  default     = null
}

variable "runtime" {
  description = "The functions' Python. The tests run on 3.11 and later."
  type        = string
  default     = "python313"
}

variable "is_protected" {
  description = "Whether the database and the audit table refuse to be deleted, and the database keeps seven days of versions to go back to. Otherwise `terraform destroy` leaves nothing."
  type        = bool
  default     = true
}

variable "warm_instances" {
  description = "Instances of acquire and of heartbeat that wait for work. An instance takes most of a second to start; an idle one costs about 10 USD a month."
  type        = number
  default     = 0
}

variable "trusted_proxy_hops" {
  description = "SEATLEASE_TRUSTED_PROXY_HOPS: how many proxies append to X-Forwarded-For. See functions.tf before changing it."
  type        = number
  default     = 1
}

variable "keep_sessions_days" {
  description = "SEATLEASE_KEEP_SESSIONS_DAYS: when an ended session may be deleted."
  type        = number
  default     = 30
}

variable "keep_audit_events_days" {
  description = "SEATLEASE_KEEP_AUDIT_EVENTS_DAYS: when an audit event may be deleted."
  type        = number
  default     = 400
}

variable "log_level" {
  description = "SEATLEASE_LOG_LEVEL. The metrics need INFO."
  type        = string
  default     = "INFO"

  validation {
    condition     = contains(["DEBUG", "INFO"], var.log_level)
    error_message = "The log level is DEBUG or INFO: with less the metrics see no denials."
  }
}

variable "audit_in_bigquery" {
  description = "Whether the audit trail is written to BigQuery too, to be asked in SQL."
  type        = bool
  default     = false
}

variable "keep_audit_table_days" {
  description = "How long BigQuery keeps an audit event, which names people. For ever if null."
  type        = number
  default     = 400
}

variable "alert_emails" {
  description = "Who is told when an alert opens. Nobody, if empty: the alerts then show in the console only."
  type        = set(string)
  default     = []
}

variable "denials_an_hour" {
  description = "More refusals for want of a seat within an hour than this open an alert: somebody has too few seats."
  type        = number
  default     = 100
}

variable "public_keys" {
  description = "The keys that leases are verified with, as keys shows them. `python -m infra.build.signing_keys` prints the line for the environment's variable file: infra/docs/deploy.md#the-signing-keys."
  type = object({
    keys = list(object({ kty = string, crv = string, x = string, kid = string, use = string, alg = string }))
  })
  default = { keys = [] }
}

variable "signing_keys_version" {
  description = "The version of the secret seatlease-signing-keys that leases are signed with. It goes with public_keys."
  type        = string
  default     = "1"
}

variable "build_folder" {
  description = "Where `python -m infra.build.stage` wrote the archives and their manifest. build/ beside this folder if null."
  type        = string
  default     = null
}
