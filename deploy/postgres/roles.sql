-- The roles, and what they may do in the schema. Run it once, in the store's database, as whoever may make roles, before
-- `flopwatch migrate`. None of them can sign in: `grant flopwatch_worker to NAME` gives it to a user who can, and makes
-- that user no owner. Whoever migrates is a member of flopwatch_owner, and begins with `set role flopwatch_owner`
-- (`alter role NAME set role flopwatch_owner`), so that all tables belong to it.
do $$
declare
    one text;
begin
    foreach one in array array['flopwatch_owner', 'flopwatch_worker', 'flopwatch_web', 'flopwatch_auditor'] loop
        if not exists (select from pg_roles where rolname = one) then
            execute format('create role %I nologin nosuperuser nocreatedb nocreaterole noinherit', one);
        end if;
        execute format('grant connect on database %I to %I', current_database(), one);
    end loop;
    execute format('revoke all on database %I from public', current_database());
end $$;

revoke all on schema public from public;
grant usage on schema public to flopwatch_worker, flopwatch_web, flopwatch_auditor;
grant usage, create on schema public to flopwatch_owner;
