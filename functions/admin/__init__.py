"""The jobs API: what operators and admins look at and switch, over HTTP. Its own function, target `jobs_admin`."""
