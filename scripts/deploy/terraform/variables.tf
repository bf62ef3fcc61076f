terraform {
  required_version = ">= 1.5"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.30, < 8.0"
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region
}

variable "project" {
  description = "Id of the Google Cloud project"
  type        = string
}

variable "region" {
  description = "Where the services run, best where the database is"
  type        = string
}

variable "image" {
  description = "Address of the image, with its digest or a tag that never moves"
  type        = string
}

variable "supabase_url" {
  description = "URL of the Supabase project"
  type        = string
}

variable "secrets" {
  description = "Version in use of each secret, by the variable that the function reads it from"
  type        = map(string)
  default     = { SUPABASE_SECRET_KEY = "1", JOB_QUEUE_RUNNER_SECRET = "1" }
}

variable "settings" {
  description = "Further settings of the worker, as TICK_BATCH_SIZE"
  type        = map(string)
  default     = {}
}

variable "service" {
  description = "Name of the service"
  type        = string
  default     = "crontick"
}

variable "environment" {
  description = "production, or a name that everything is marked with"
  type        = string
  default     = "production"
}

variable "admin" {
  description = "Whether the jobs API and its dashboard are deployed too"
  type        = bool
  default     = false
}

variable "publishable_key" {
  description = "Public API key, with which the dashboard signs people in; only with admin"
  type        = string
  default     = ""
}

variable "memory" {
  description = "Memory of an instance of the worker"
  type        = string
  default     = "2Gi"
}

variable "max_instances" {
  description = "Slots of the schedule, and one more"
  type        = number
  default     = 5
}

output "worker_url" {
  description = "What crontick connect --url takes"
  value       = google_cloud_run_v2_service.worker.uri
}

output "dashboard_url" {
  description = "Where people look at the queue"
  value       = var.admin ? "${google_cloud_run_v2_service.admin[0].uri}/dashboard" : null
}
