{#
  No two rows share the model's grain (`config.meta.grain`), and no part of it is
  NULL but `may_be_null`. Returns the offending keys with how often they stand there.
#}
{% test grain_is_unique(model, may_be_null=[]) %}
{%- if execute -%}
{%- set grain = grain_of(model) %}
select
    {{ grain | join(', ') }},
    count(*) as rows_with_this_key
from {{ model }}
group by {{ grain | join(', ') }}
having count(*) > 1 or {{ grain | reject('in', may_be_null) | join(' is null or ') }} is null
{%- endif -%}
{% endtest %}
