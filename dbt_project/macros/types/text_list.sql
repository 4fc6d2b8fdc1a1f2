{# A list of texts without its NULLs. #}
{% macro text_list(items) -%}
    {{ return(adapter.dispatch('text_list', 'voronka')(items)) }}
{%- endmacro %}

{% macro duckdb__text_list(items) -%}
    {%- if items -%}
    case
        when coalesce({{ items | join(', ') }}) is null then cast([] as varchar[])
        else list_filter([{{ items | join(', ') }}], lambda item: item is not null)
    end
    {%- else -%}
    cast([] as varchar[])
    {%- endif -%}
{%- endmacro %}

{% macro spark__text_list(items) -%}
    {%- if items -%}
    case
        when coalesce({{ items | join(', ') }}) is null then cast(array() as array<string>)
        else array_compact(array({{ items | join(', ') }}))
    end
    {%- else -%}
    cast(array() as array<string>)
    {%- endif -%}
{%- endmacro %}
