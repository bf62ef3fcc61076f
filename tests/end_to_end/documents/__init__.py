"""What README and docs/ show is run: every block, in the order of its page, against one local Supabase."""
