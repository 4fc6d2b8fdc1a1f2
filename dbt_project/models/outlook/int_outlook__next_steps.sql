-- One row per open deal that has a next step: the evident one with the greatest lift among
-- those that are its to take on the as-of date, else the first one by the seed's order.

{% set points = thousands('cast(' ~ rounded('lift * 100', 0) ~ ' as bigint)') %}

with eligible as (

    select * from {{ ref('int_outlook__eligible_spans') }}

),

steps as (

    select * from {{ ref('next_steps') }}

),

evidence as (

    select * from {{ ref('int_outlook__step_evidence') }}

),

open_deals as (

    select * from {{ ref('int_outlook__open_deals') }}

),

candidates as (

    select
        open_deals.deal_id,
        steps.*,
        case when evidence.is_evident then evidence.lift end as lift,
        case when evidence.is_evident then evidence.cases end as cases
    from open_deals
    inner join eligible
        on
            open_deals.deal_id = eligible.deal_id
            and open_deals.observed_on >= eligible.from_on
            and open_deals.observed_on < eligible.until_on
    inner join steps
        on eligible.step = steps.step
    left join evidence
        on steps.step = evidence.step
    where open_deals.is_stale or not steps.needs_stale

),

final as (

    select
        deal_id,
        step as next_step,
        words_ru || case when lift is null then '' else '. Сделки, где ' || with_ru
            || ', выигрывали чаще на ' || {{ points }}
            || ' п. п. (случаев: ' || {{ thousands('cases') }} || ')' end as next_step_ru,
        words_en || case when lift is null then '' else '. Where people ' || with_en
            || ', it went along with ' || {{ points }}
            || ' pp more deals won (cases: ' || {{ thousands('cases') }} || ')' end as next_step_en,
        lift as next_step_lift,
        cases as next_step_cases
    from candidates
    qualify row_number() over (
        partition by deal_id
        order by
            case when lift is null then 1 else 0 end asc,
            lift desc,
            default_order asc
    ) = 1

)

select * from final
