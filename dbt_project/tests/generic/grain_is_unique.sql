{#
  No two rows share the model's grain (`config.meta.grain`), and no part of it is
  NULL. Returns the offending keys with how often they stand there.
#}
{% test grain_is_unique(model) %}
{%- if execute -%}
{%- set grain = grain_of(model) %}
select
    {{ grain | join(', ') }},
    count(*) as rows_with_this_key
from {{ model }}
group by {{ grain | join(', ') }}
having count(*) > 1 or {{ grain | join(' is null or ') }} is null
{%- endif -%}
{% endtest %}
