-- What each role may do with each table. Run it after each `flopwatch migrate`, as the owner of the tables: what was
-- given before is taken back first, in one transaction. A table that is not named here is nobody's but the owner's.
begin;
revoke all on all tables in schema public from flopwatch_worker, flopwatch_web, flopwatch_auditor;
revoke all on all sequences in schema public from flopwatch_worker, flopwatch_web, flopwatch_auditor;

-- The worker reads events, keeps the books, raises flags, opens cases of them, and tells people.
grant select on alembic_version, audit, personal_salt to flopwatch_worker;
grant select, update on suppressions to flopwatch_worker; -- it ends them when what they hide becomes more serious
grant select, insert on
    case_events, flag_history, journal, notices, shapes, tenants, traits
    to flopwatch_worker;
grant insert on conservation to flopwatch_worker;
grant select, insert on restatements to flopwatch_worker;
grant select, insert, update on
    allocations, blind, case_flags, cases, chains, dead_letters, deliveries, fact_pages, flags, messages, personal,
    progress, sources
    to flopwatch_worker;
grant select, insert, update, delete on measured, usage to flopwatch_worker;
grant select, insert, delete on measurements, pieces to flopwatch_worker;

-- The console reads the books and changes none of them; it writes what people decide, and the audit of it.
grant select on
    alembic_version, allocations, blind, chains, dead_letters, fact_pages, measured, measurements, personal_salt,
    pieces, progress, shapes, sources, tenants, traits, usage
    to flopwatch_web;
grant select, insert on audit, case_events, case_sights, flag_history, journal to flopwatch_web;
grant select, insert, update on
    approvals, exports, flags, holds, personal, proposals, suppressions, users
    to flopwatch_web;
grant select, update on case_flags, cases to flopwatch_web; -- flags open cases, people do not
grant select, insert, update, delete on failed_sign_ins, sessions, tokens to flopwatch_web;

-- The auditor walks the chain, counts everything again, and changes nothing: `flopwatch verify`, `audit verify`.
grant select on
    alembic_version, allocations, audit, blind, case_events, case_flags, cases, chains, conservation, dead_letters,
    fact_pages, flag_history, flags, journal, measured, measurements, personal, personal_salt, pieces, progress,
    restatements, shapes, sources, suppressions, tenants, traits, usage
    to flopwatch_auditor;

-- Numbers that the database counts come from sequences: whoever may insert into such a table may ask for the next one.
do $$
declare
    one record;
begin
    for one in
        select distinct pg_get_serial_sequence(format('%I', g.table_name), c.column_name) as counts, g.grantee
        from information_schema.role_table_grants g
        join information_schema.columns c using (table_schema, table_name)
        where g.table_schema = 'public' and g.privilege_type = 'INSERT'
            and g.grantee in ('flopwatch_worker', 'flopwatch_web')
    loop
        if one.counts is not null then
            execute format('grant usage on sequence %s to %I', one.counts, one.grantee);
        end if;
    end loop;
end $$;
commit;
