import type { FlowStation } from "./station.ts";

/**
 * Makes a database function raise an error, always or when the SQL condition over its arguments holds; what it raises
 * is for the station a refusal for good. Answers how to mend it.
 */
export async function breakFunction(station: FlowStation, name: string, when = "true"): Promise<() => Promise<void>> {
  const kept = `${name}_kept`;
  const [found] = await station.sql<{ types: string; args: string; names: string[]; result: string; set: boolean }>(
    `select pg_get_function_identity_arguments(oid) as types, pg_get_function_arguments(oid) as args,
       coalesce(proargnames[1:pronargs], '{}') as names, pg_get_function_result(oid) as result, proretset as set
     from pg_proc where pronamespace = 'public'::regnamespace and proname = $1`,
    [name],
  );
  if (!found) throw new Error(`there is no function ${name} to break`);
  const { types, args, names, result, set } = found;
  const answer = set ? "return query select * from" : "return";
  await station.sql(`
    alter function public.${name}(${types}) rename to ${kept};
    create function public.${name}(${args}) returns ${result} language plpgsql security definer as $$
    begin
      if ${when} then
        raise exception 'broken by a test';
      end if;
      ${answer} public.${kept}(${names.join(", ")});
    end
    $$;
    grant execute on function public.${name}(${types}) to service_role;`);
  return async () => {
    await station.sql(`
      drop function public.${name}(${types});
      alter function public.${kept}(${types}) rename to ${name};`);
  };
}
