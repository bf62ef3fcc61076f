# An example: what scripts/deploy.sh cloud-run makes, for teams that keep their infrastructure in Terraform. Build the
# image first (gcloud builds submit, or docker build and push), and give its address.
#
#   terraform init
#   terraform apply -target=google_secret_manager_secret.value       # the secrets, still empty
#   gcloud secrets versions add crontick-supabase-secret-key --data-file=-      # and so on: values never pass through
#   terraform apply                                                              # Terraform, whose state would keep them
#   crontick connect --url "$(terraform output -raw worker_url)"

locals {
  name = var.environment == "production" ? var.service : "${var.service}-${var.environment}"

  admin_secrets = toset([
    "SUPABASE_SECRET_KEY",
    "SUPABASE_SERVICE_ROLE_KEY",
    "SUPABASE_JWT_SECRET",
    "JOB_QUEUE_RUNNER_SECRET",
    "JOB_QUEUE_RUNNER_SECRET_PREVIOUS",
    "SENTRY_DSN",
    "OTEL_EXPORTER_OTLP_HEADERS",
  ])
  of_worker = { for name, version in var.secrets : name => version if name != "SUPABASE_JWT_SECRET" }
  of_admin  = { for name, version in var.secrets : name => version if contains(local.admin_secrets, name) }

  common = {
    SUPABASE_URL         = var.supabase_url
    CRONTICK_ENVIRONMENT = var.environment
    GOOGLE_CLOUD_PROJECT = var.project
  }
}

resource "google_project_service" "needed" {
  for_each           = toset(["run.googleapis.com", "secretmanager.googleapis.com", "iam.googleapis.com"])
  service            = each.value
  disable_on_destroy = false
}

resource "google_secret_manager_secret" "value" {
  for_each  = var.secrets
  secret_id = "${local.name}-${replace(lower(each.key), "_", "-")}"

  replication {
    auto {}
  }

  depends_on = [google_project_service.needed]
}

# Each service runs as an account of its own that may read exactly its own secrets, and nothing else.
resource "google_service_account" "worker" {
  account_id   = local.name
  display_name = "runs cron_tick"
  depends_on   = [google_project_service.needed]
}

resource "google_service_account" "admin" {
  count        = var.admin ? 1 : 0
  account_id   = "${local.name}-admin"
  display_name = "runs jobs_admin"
  depends_on   = [google_project_service.needed]
}

resource "google_secret_manager_secret_iam_member" "worker" {
  for_each  = local.of_worker
  secret_id = google_secret_manager_secret.value[each.key].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.worker.member
}

resource "google_secret_manager_secret_iam_member" "admin" {
  for_each  = var.admin ? local.of_admin : {}
  secret_id = google_secret_manager_secret.value[each.key].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.admin[0].member
}

# A tick is one request of at most 45 s, and an instance works on one of them at a time. The database cannot make Google
# tokens, so the check at the door is off: the function's own secret is the door.
resource "google_cloud_run_v2_service" "worker" {
  name                 = local.name
  location             = var.region
  invoker_iam_disabled = true
  deletion_protection  = false

  template {
    service_account                  = google_service_account.worker.email
    timeout                          = "60s"
    max_instance_request_concurrency = 1
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"

    scaling {
      max_instance_count = var.max_instances
    }

    containers {
      image = var.image

      resources {
        limits            = { cpu = "1", memory = var.memory }
        cpu_idle          = true
        startup_cpu_boost = true
      }

      dynamic "env" {
        for_each = merge(var.settings, local.common, { FUNCTION_TARGET = "cron_tick" })
        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = local.of_worker
        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = google_secret_manager_secret.value[env.key].secret_id
              version = env.value
            }
          }
        }
      }
    }
  }

  depends_on = [google_secret_manager_secret_iam_member.worker]
}

resource "google_cloud_run_v2_service" "admin" {
  count                = var.admin ? 1 : 0
  name                 = "${local.name}-admin"
  location             = var.region
  invoker_iam_disabled = true
  deletion_protection  = false

  template {
    service_account                  = google_service_account.admin[0].email
    timeout                          = "60s"
    max_instance_request_concurrency = 8
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"

    scaling {
      max_instance_count = 2
    }

    containers {
      image = var.image

      resources {
        limits            = { cpu = "1", memory = "512Mi" }
        cpu_idle          = true
        startup_cpu_boost = true
      }

      dynamic "env" {
        for_each = merge(local.common, {
          FUNCTION_TARGET           = "jobs_admin"
          SUPABASE_PUBLISHABLE_KEY  = var.publishable_key
          JOB_QUEUE_WORKER_ENDPOINT = google_cloud_run_v2_service.worker.uri
        })
        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = local.of_admin
        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = google_secret_manager_secret.value[env.key].secret_id
              version = env.value
            }
          }
        }
      }
    }
  }

  depends_on = [google_secret_manager_secret_iam_member.admin]
}
