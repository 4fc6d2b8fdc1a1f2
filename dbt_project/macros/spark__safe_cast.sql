{#
  A unit test's value with the type of its column. dbt's own casts text to anything but a list, which
  fixtures write as YAML does, in a row or as text: `[]`, `[name: required]`.
#}
{% macro spark__safe_cast(field, type) -%}
    {%- set items = none -%}
    {%- if field is not string -%}
        {%- set items = field if type.lower().startswith('array') else none -%}
    {%- elif field.startswith("'[") and type.lower().startswith('array') -%}
        {%- set items = field[2:-2].split(', ') if field | length > 4 else [] -%}
    {%- endif -%}
    {%- if items is none -%}
        cast({{ field }} as {{ type }})
    {%- else -%}
        cast(array({% for item in items %}'{{ item | replace("'", "\\'") }}'{{ ', ' if not loop.last }}{% endfor %}) as {{ type }})
    {%- endif -%}
{%- endmacro %}
