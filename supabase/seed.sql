-- Nothing has to be seeded: migrations bring the default route and policies. Local fixtures may go here.
select 1;
